"""The decision: which rule answers a message, and why. Pure and total."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from supportbot.decision import forms
from supportbot.decision.answers import reading_of
from supportbot.decision.choose import (
    Considered,
    Option,
    brought_up,
    by_category,
    fallback_options,
    refusal,
    unmet,
)
from supportbot.decision.classify import classify, evidence
from supportbot.decision.draft import Draft
from supportbot.decision.matcher import Found, find
from supportbot.decision.talk import talk_of
from supportbot.model.bot import Bot, Guide, Handler, Rule
from supportbot.model.decision import CallModel, Candidate, Decision, Kind
from supportbot.model.session import FormState, Session, Turn
from supportbot.model.steps import FireTrigger, Handoff, NextStep, OpenForm, SayResponse, StartGuide, Step
from supportbot.model.text import NEGATIONS, tokens

_GRAMMAR = NEGATIONS.union(
    ("a", "an", "the", "and", "but", "now", "still", "it", "that", "this"),
    ("is", "are", "was", "were", "do", "does", "did", "has", "have"),
)
NO_HANDLER = "none"


def decide(bot: Bot, turn: Turn) -> Decision:
    """The rule that answers, what it says and asks for, and every reason.

    The same bot and turn always give an equal decision, whatever the text is.
    """
    message, most = turn.message, bot.settings.limits.message_chars
    if len(message.text) > most:
        message = replace(message, text=message.text[:most])
    session = known_session(bot, turn)
    found = find(bot.index, message.text, reading_of(bot, turn.now))
    before = session.category
    classified = classify(bot, found, before)
    category = classified.category
    if category != before:
        session = replace(session, category=category)
    handlers, guides = brought_up(bot, found)
    if guides:
        guides = by_category(guides, found, classified)
    considered = Considered(bot, found, classified)
    form = session.form
    if form is None:
        talked = _talked(bot, session, considered, handlers or guides or fallback_options(bot, found))
        if talked is not None:
            return talked
    draft = Draft(bot, session, message, turn.now, found.held, before)
    deciding = _Deciding(bot, draft, found, category, considered, handlers, guides)
    return deciding.by_rules() if form is None else deciding.despite(form)


def _talked(bot: Bot, session: Session, considered: Considered, options: list[Option]) -> Decision | None:
    """The decision if the rule that is asked first only talks, as mostly."""
    if not options:
        return None
    option = options[0]
    asked = option.of
    talk = talk_of(bot, asked, session)
    if talk is None:
        return None
    for hit in option.hits:
        if hit.captures:
            return None
    considered.choose(option, options[1:])
    state, triggers = session.state, talk.triggers
    trigger = triggers[0] if triggers else None
    return Decision(
        asked.rule.id,
        asked.kind,
        session.category,
        trigger,
        state,
        session,
        talk.outputs,
        talk.effects,
        considered,
        triggers,
    )


class _Deciding(Struct, gc=False):
    bot: Bot
    draft: Draft
    found: Found
    category: str
    considered: Considered
    handlers: list[Option]
    guides: list[Option]

    # --- rules ----------------------------------------------------------------------------

    def by_rules(self) -> Decision:
        first = self.considered.first
        option = first(self.handlers, self.draft) or first(self.guides, self.draft)
        if option is None:
            option = first(fallback_options(self.bot, self.found), self.draft)
        if option is not None:
            return self._apply(option)
        if self.bot.settings.fallback:
            self.draft.say(self.bot.settings.fallback)
        return self._decided(NO_HANDLER, "handler", "no rule fits")

    def _apply(self, option: Option) -> Decision:
        asked = option.of
        rule = asked.rule
        self._remember(option)
        if NextStep in asked.steps:
            self._look_for_a_new_subject(option)
        if asked.kind == "guide" and isinstance(rule, Guide) and rule.steps:
            self._guide(rule)
        else:
            self.draft.run(rule.do)
        return self._decided(rule.id, asked.kind)

    def _look_for_a_new_subject(self, refusing: Option) -> None:
        """ "no, it is the VPN": a guide for words besides the "no" that the conversation did not hold so far."""
        running = self.draft.session.guide
        if running is None or not self.guides:
            return  # what failed was somebody else's advice (see NextStep), or no guide is asked for
        known = _words_so_far(self.draft.session)
        no = {at for hit in refusing.hits for at in range(hit.start, hit.end)}
        for option in self.guides:
            guide = option.of.rule
            if not isinstance(guide, Guide) or not guide.steps or running.guide == guide.id:
                continue
            besides = [hit for hit in option.hits if no.isdisjoint(range(hit.start, hit.end))]
            news = {word for span in evidence(self.found, besides) for word in span.split()} - known
            if news and not unmet(self.draft, option.of.when, self.category):
                self.draft.asked_guide = guide.id
                return

    def _states_a_problem(self, option: Option) -> bool:
        """ "my wifi is down, open a ticket": a guide for other words than the rule's, about something new."""
        own = {at for hit in option.hits for at in range(hit.start, hit.end)}
        running = self.draft.session.guide
        known = self.bot.guides[running.guide].category if running is not None else ""
        for other in self.guides:
            guide = other.of.rule
            if not isinstance(guide, Guide) or not guide.steps or guide.category == known:
                continue
            if any(not own.issuperset(range(hit.start, hit.end)) for hit in other.hits):
                return True
        return False

    def _remember(self, option: Option) -> None:
        if OpenForm in option.of.steps:
            self.draft.states_problem = self._states_a_problem(option)
        for hit in option.hits:
            if hit.captures:
                self.draft.remember(dict(hit.captures))

    def _guide(self, guide: Guide) -> None:
        running = self.draft.session.guide
        if running is not None and running.guide == guide.id:
            self.draft.next_step()  # the problem was only said again
        else:
            self.draft.start_guide(guide.id)

    # --- forms ----------------------------------------------------------------------------

    def despite(self, form: FormState) -> Decision:
        """While a form is open: a person can be asked for from inside any, then the form takes the message."""
        option = self.considered.first([option for option in self.handlers if _interrupts(option)], self.draft)
        if option is None:
            return self._by_form(form)
        self.draft.change(form=None)
        return self._apply(option)

    def _by_form(self, form: FormState) -> Decision:
        options = [*(option for option in self.handlers if not _interrupts(option)), *self.guides]
        others = [option for option in options if option.hits and self._may_replace(form, option)]
        wish = any(OpenForm in option.of.steps for option in others)
        turn = forms.take(self.draft, self.found, bool(others), wish)
        if turn.taken:
            self._note_form(form, turn.note, others)
            return self._decided(f"form.{form.form}", "form", turn.note)
        if self.draft.session.form is None:
            return self.by_rules()
        return self._digression(form, others) if others else self._asked_between(form)

    def _asked_between(self, form: FormState) -> Decision:
        """A question that no rule knows: the model may, and then the form goes on."""
        handler = self.bot.fallback_handler
        if handler is None:
            forms.not_understood(self.draft)
            self._note_form(form, "", [])
            return self._decided(f"form.{form.form}", "form", "a question that no rule answers")
        self.draft.ask_model()
        self.considered.asked.append(Candidate(handler.id, "llm", handler.priority, True))
        return self._decided(handler.id, "llm", "a question in between, for the model; the form goes on")

    def _may_replace(self, form: FormState, option: Option) -> bool:
        """Whether a rule could answer instead of the form: not one that would open it again.

        A guide's first step can be told without firing its trigger.
        """
        asked = option.of
        if OpenForm in asked.steps and OpenForm(form.form) in asked.rule.do:
            return False
        if isinstance(asked.rule, Guide) and asked.rule.steps:
            return not unmet(self.draft, asked.when, self.category)
        return not refusal(self.draft, asked, self.category)

    def _digression(self, form: FormState, others: list[Option]) -> Decision:
        option = others[0]
        rule, kind = option.of.rule, option.of.kind
        for other in others:
            self.considered.asked.append((other, "" if other is option else f"{rule.id} is asked first"))
        self._remember(option)
        told = self._told(rule)
        if told:
            for response in told:
                self.draft.say(response)
        else:
            state = self.draft.session.state
            self.draft.run(rule.do)
            if self.draft.session.state != state or self._moves_on(rule.do):
                if self.draft.session.form is not None and self.draft.session.form.form == form.form:
                    self.draft.change(form=None)
                return self._decided(rule.id, kind)
        if not any(isinstance(effect, CallModel) for effect in self.draft.effects):  # else it goes on after the answer
            forms.go_on(self.draft, form)
        return self._decided(rule.id, kind, "answered in between; the form goes on")

    def _told(self, rule: Rule) -> list[str]:
        """What a rule that only tells something says, without the flow of a guide; empty for other rules."""
        if isinstance(rule, Guide) and rule.steps:
            return [rule.steps[0]]
        said: list[str] = []
        for step in rule.do:
            if isinstance(step, SayResponse):
                said.append(step.response)
            elif isinstance(step, StartGuide) and self.bot.guides[step.guide].steps:
                said.append(self.bot.guides[step.guide].steps[0])
            else:
                return []
        return said

    @staticmethod
    def _moves_on(steps: tuple[Step, ...]) -> bool:
        return any(isinstance(step, FireTrigger | OpenForm | Handoff) for step in steps)

    def _note_form(self, form: FormState, note: str, others: list[Option]) -> None:
        self.considered.asked.append(Candidate(f"form.{form.form}", "form", 0, True))
        for option in others:
            self.considered.asked.append((option, "the open form takes the message"))

    # --- the result -----------------------------------------------------------------------

    def _decided(self, handler: str, kind: Kind, note: str = "") -> Decision:
        draft, session, considered = self.draft, self.draft.session, self.considered
        considered.note = "; ".join(filter(None, (note, *draft.notes))) if draft.notes else note
        triggers = draft.triggers
        return Decision(
            handler,
            kind,
            self.category,
            triggers[0] if triggers else None,
            session.state,
            session,
            draft.outputs,
            draft.effects,
            considered,
            triggers,
        )


def _interrupts(option: Option) -> bool:
    return isinstance(option.of.rule, Handler) and option.of.rule.interrupts


def _words_so_far(session: Session) -> frozenset[str]:
    """What was said and answered since the running guide began, with the words that name no subject."""
    running = session.guide
    words: set[str] = set(_GRAMMAR)
    if running is not None:
        for past in reversed(session.history):
            words.update(tokens(past.said), tokens(past.answered))
            if past.handler == running.guide:
                break
    return frozenset(words)


def known_session(bot: Bot, turn: Turn) -> Session:
    """The session with nothing in it that this bot does not know; rules may have changed since it began."""
    session = turn.session
    form, guide = session.form, session.guide
    known = (form is None or form.form in bot.forms) and (guide is None or guide.guide in bot.guides)
    if known and session.state in bot.graph.states and not turn.message.visitor:  # as mostly
        return session
    changes: dict[str, object] = {}
    if session.state not in bot.graph.states:
        changes |= {"state": bot.graph.initial, "timeouts_fired": 0}
    if form is not None and form.form not in bot.forms:
        changes["form"] = None
    if guide is not None and guide.guide not in bot.guides:
        changes["guide"] = None
    if turn.message.visitor:
        told = {key: value for key, value in turn.message.visitor.items() if value}
        changes["visitor"] = {**session.visitor, **told}
    return replace(session, **changes) if changes else session
