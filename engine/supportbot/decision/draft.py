"""A conversation while a turn changes it: the steps of rules, applied one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from supportbot.decision.answers import Asker, prefill
from supportbot.decision.hours import is_open
from supportbot.decision.render import Scope, holds, render
from supportbot.decision.scope import scope_of
from supportbot.model.bot import Bot
from supportbot.model.decision import CallAction, CallModel, Close, Effect, HandOver, NobodyThere, Output, Say
from supportbot.model.graph import Transition
from supportbot.model.session import FormState, GuideState, Message, Session, SlotValue
from supportbot.model.steps import (
    AskModel,
    CloseConversation,
    FireTrigger,
    Handoff,
    NextStep,
    OpenForm,
    RunAction,
    SayResponse,
    SetSlots,
    StartGuide,
    Step,
)

MOST_STEPS = 100  # of one turn: a guide that starts itself, or a form that opens itself, ends here


class Draft(Struct, gc=False):
    """The session being changed, and what the turn says and asks for. Never leaves the decision core.

    ``held``: blocks that hold for the message. ``before``: the category before this turn, where that may be another.
    ``states_problem``: besides what the rule that answers has found in it. ``asked_guide``: the one that a message
    which says "no" asks for in the same breath. ``notes``: for the trace.
    """

    bot: Bot
    session: Session
    message: Message
    now: datetime
    held: Mapping[int, object] = {}
    before: str | None = None
    outputs: tuple[Output, ...] = ()
    effects: tuple[Effect, ...] = ()
    triggers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    states_problem: bool = False
    asked_guide: str = ""
    steps: int = 0

    def scope(self, result: Mapping[str, SlotValue] | None = None) -> dict[str, object]:
        return scope_of(self.bot, self.session, self.now, result)

    def change(self, **fields: object) -> None:
        """Go on with a session that has other fields."""
        self.session = replace(self.session, **fields)

    def remember(self, values: Mapping[str, SlotValue]) -> None:
        if values:
            self.change(slots={**self.session.slots, **values})

    # --- steps ----------------------------------------------------------------------------

    def run(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self.steps += 1
            if self.steps > MOST_STEPS:
                return
            match step:
                case FireTrigger():
                    self.fire(step.trigger)
                case SayResponse():
                    self.outputs += (Say(step.response),)
                case AskModel():
                    self.ask_model()
                case StartGuide():
                    self.start_guide(step.guide)
                case NextStep():
                    self.next_step()
                case OpenForm():
                    self.open_form(step.form)
                case RunAction():
                    self.effects += (CallAction(step.action, dict(self.session.slots)),)
                case SetSlots():
                    scope = self.scope()
                    self.remember({slot: render(template, scope) for slot, template in step.values})
                case Handoff():
                    self.outputs += (HandOver(step.department) if self._staffed() else NobodyThere(),)
                case CloseConversation():
                    self.outputs += (Close(step.block),)
                    self.change(closed=True, form=None)

    def _staffed(self) -> bool:
        """Outside the hours, when the bot has any, nobody would be there to take a conversation over."""
        hours = self.bot.settings.hours
        return not hours.days or is_open(hours, self.now)

    def say(self, response: str) -> None:
        self.outputs += (Say(response),)

    def ask_model(self) -> None:
        effect = CallModel(self.session.category or self.bot.settings.default_category)
        if effect not in self.effects:
            self.effects += (effect,)

    def fire(self, trigger: str) -> bool:
        """Move along the first transition of the trigger whose conditions hold."""
        way = way_out(self.bot, self.session.state, trigger, self.scope)
        if way is None:
            return False
        self.triggers += (trigger,)
        if way.dest != self.session.state:  # staying is no reason to remind the visitor all over again
            self.change(state=way.dest, timeouts_fired=0)
        if self.bot.graph.states[way.dest].final:
            self.change(closed=True, form=None)
        return True

    # --- guides ---------------------------------------------------------------------------

    def start_guide(self, guide_id: str) -> None:
        guide = self.bot.guides[guide_id]
        if not guide.steps:
            self.run(guide.do)
            return
        flow = self.bot.settings.guides
        if flow.start:
            self.fire(flow.start)
        last = len(guide.steps) == 1
        before = self.session.category if self.before is None else self.before
        same_topic = before == guide.category
        self.change(
            guide=GuideState(guide_id, 0, last),
            attempts=self.session.attempts if same_topic else 0,
        )
        self.say(guide.steps[0])

    def next_step(self) -> None:
        """One more answer failed: the guide's next step, else the model, at the end a person.

        A message that speaks of something else as well goes there instead.
        """
        attempts = self.session.attempts + 1
        self.change(attempts=attempts)
        flow, running = self.bot.settings.guides, self.session.guide
        if attempts >= self.bot.settings.limits.attempts:
            self._exhaust()
        elif self.asked_guide:
            self.start_guide(self.asked_guide)
        elif running is None:
            self.ask_model()
        elif running.done or running.guide not in self.bot.guides:
            self._exhaust()
        else:
            steps = self.bot.guides[running.guide].steps
            step = running.step + 1
            if step >= len(steps):
                self._exhaust()
                return
            if flow.next:
                self.fire(flow.next)
            self.change(guide=GuideState(running.guide, step, step + 1 == len(steps)))
            self.say(steps[step])

    def _exhaust(self) -> None:
        running = self.session.guide
        self.change(attempts=0, guide=replace(running, done=True) if running else None)
        self.run(self.bot.settings.guides.exhausted)

    # --- forms ----------------------------------------------------------------------------

    def open_form(self, form_id: str) -> None:
        """Ask the form's questions; not when what they are for cannot be done, which is then said at once."""
        steps = self.bot.forms[form_id].done
        ran = (self.bot.actions[step.action] for step in steps if isinstance(step, RunAction))
        off = next((action for action in ran if action.id in self.bot.off), None)
        if off is not None:
            self.notes += (f"the form {form_id} is not opened: the action {off.id} is off",)
            self.run(off.when_off or off.on_failure)
            return
        asker = Asker(self.bot, self.session, self.now)
        known = prefill(asker, self.message, self.bot.forms[form_id], self.held, self.states_problem)
        self.change(form=FormState(form_id, None, known, 0, asker.refused))
        self.ask_next()

    def ask_next(self) -> None:
        """Ask for the first missing value, else for the confirmation, else finish the form."""
        state = self.session.form
        if state is None:
            return
        form = self.bot.forms[state.form]
        missing = next((s for s in form.slots if not s.optional and s.name not in state.values), None)
        self.remember(state.values)
        if missing is not None:
            tries = state.tries if state.asking == missing.name else 0
            self.change(form=replace(state, asking=missing.name, tries=tries))
            self.say(missing.refused if state.refused and missing.in_hours and missing.refused else missing.ask)
        elif form.confirm:
            tries = state.tries if state.asking is None else 0
            self.change(form=replace(state, asking=None, tries=tries, rejected=False))
            self.say(form.confirm)
        else:
            self.finish_form()

    def finish_form(self) -> None:
        state = self.session.form
        if state is not None:
            self.remember(state.values)
            self.change(form=None)
            self.run(self.bot.forms[state.form].done)


def way_out(bot: Bot, state: str, trigger: str, scope: Callable[[], Scope]) -> Transition | None:
    """The transition that a trigger takes in a state, or None. ``scope`` is called only when needed."""
    for way in bot.graph.table.get((state, trigger), ()):
        if not way.conditions:
            return way
        names = scope()
        if all(holds(bot.graph.conditions[condition], names) for condition in way.conditions):
            return way
    return None
