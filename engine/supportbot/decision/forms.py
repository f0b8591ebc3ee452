"""An open form takes the message: answers, confirmation, corrections, cancelling, giving up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from supportbot.decision.answers import (
    Asker,
    corrected_answer,
    is_name,
    named_slot,
    read_answer,
    read_corrections,
    read_extras,
)
from supportbot.decision.draft import Draft
from supportbot.decision.matcher import Found
from supportbot.decision.unclear import names_a_day
from supportbot.model.bot import Form, FormWords, SlotSpec
from supportbot.model.session import FormState, SlotValue
from supportbot.model.text import NEGATIONS

CANCEL_WORDS, STORY_WORDS = 10, 6  # "cancel" inside a longer story is part of the story


_AGREED = frozenset(("yes", "ok", "okay", "yeah", "yep", "sure", "please"))
_POLITE = frozenset(("please", "thanks", "thank", "you", "sir", "it", "that"))
_THANKS = frozenset(("thanks", "thank"))
_THANKING = _THANKS | {"please"}
_REST = 4  # words beside those that cancel
_TITLES = frozenset(("summary", "subject", "title", "problem"))  # slots that say what it is about
_STORIES = frozenset(("details", "description"))
_SHORT = 2  # tokens of "no", "yes please"
_CHANGES = frozenset(["wrong", "change", "different", "edit", "update", "incorrect", "other", "another"])
_QUESTIONS = frozenset(
    (word,)
    for word in [
        "why",
        "what",
        "how",
        "who",
        "which",
        "where",
        "does",
        "do",
        "is",
        "are",
        "can",
        "could",
        "will",
        "would",
    ]
)


@dataclass(frozen=True, slots=True)
class FormTurn:
    """``taken``: the form used the message. ``note`` says how, for the trace."""

    taken: bool
    note: str


NOT_TAKEN = FormTurn(False, "")


def take(draft: Draft, found: Found, others_match: bool, wish: bool = False) -> FormTurn:
    """Let the open form use the message. ``others_match``: a rule would answer it otherwise; ``wish``: and open a form.

    "Forget it, open a ticket" leaves the form for the other one; nothing but "forget it" is answered by ``cancelled``.
    """
    state = draft.session.form
    if state is None or state.form not in draft.bot.forms:
        draft.change(form=None)
        return NOT_TAKEN
    form = draft.bot.forms[state.form]
    words = draft.bot.form_words
    if words is not None and (
        _cancels(found, words, _cancel_words(form, state)) or _declines(found, words, form, state)
    ):
        draft.change(form=None)
        if wish:
            return NOT_TAKEN
        draft.run(form.cancelled)
        return FormTurn(True, "cancelled")
    if draft.message.answers:
        return collected(draft, form, state, found)
    if state.asking is None:
        return _confirming(draft, form, state, found, others_match)
    spec = next((slot for slot in form.slots if slot.name == state.asking), None)
    if spec is None:
        draft.ask_next()
        return FormTurn(True, "asked again")
    return _answering(draft, form, state, spec, found, others_match)


def _cancel_words(form: Form, state: FormState) -> int:
    """How long a message may be that leaves the form; where a story is asked for, it may be part of the story."""
    asked = next((slot for slot in form.slots if slot.name == state.asking), None)
    tells = asked is not None and asked.type == "text" and not asked.name.endswith("name")
    return STORY_WORDS if tells else CANCEL_WORDS


def _cancels(found: Found, words: FormWords, most: int) -> bool:
    """ "cancel"; also a longer message of hardly anything else: "forget about it, I changed my mind"."""
    held = found.held.get(words.cancel)
    if held is None:
        return False
    said = {at for hit in held.hits for at in range(hit.start, hit.end)}
    rest = [word for at, word in enumerate(found.tokens) if at not in said and word[:1].isalnum()]
    return len(found.tokens) <= most or (0 in said and len(rest) <= _REST)


def _declines(found: Found, words: FormWords, form: Form, state: FormState) -> bool:
    """ "no thanks", "please no" to a question, which a story may be answered by; to a confirmation only with thanks."""
    asked = state.asking
    if (asked is not None and asked.split("_")[-1] in _STORIES) or len(found.tokens) < _SHORT:
        return False
    held = found.held.get(words.no)
    said = {at for hit in held.hits for at in range(hit.start, hit.end)} if held is not None else set()
    rest = {word for at, word in enumerate(found.tokens) if at not in said}
    declining = _THANKING if asked is not None else _THANKS
    return bool(said) and rest <= _POLITE and not declining.isdisjoint(found.tokens)


def _answering(
    draft: Draft, form: Form, state: FormState, spec: SlotSpec, found: Found, others_match: bool
) -> FormTurn:
    text = draft.message.text
    asker = Asker(draft.bot, draft.session, draft.now)
    if spec.type == "text" and ((is_question(found) and others_match) or _asks_back(spec, found)):
        return NOT_TAKEN
    if is_name(spec) and _no_name(draft, found):
        return _try_again(draft, form, state, spec.invalid or spec.ask)
    if _says_nothing(draft, spec, found):
        return _try_again(draft, form, state, spec.invalid or spec.ask)
    if spec.type not in ("text", "choice"):
        if _only_said(draft, found, yes=True):
            return _try_again(draft, form, state, spec.ask)
        if _only_said(draft, found, yes=False):
            return _try_again(draft, form, state, spec.invalid or spec.ask)
    value = read_answer(spec, text, found.held, asker, state.values.get(spec.name))
    known = {**state.values, spec.name: "" if value is None else value}
    values = {} if value is None else {spec.name: value}
    values |= read_extras(form, known, text, found.held, asker)
    if spec.type != "text":
        values |= _mended(form, spec, state, text, found, asker)
    if not values:
        values = _taken_back(form, spec, state, text, found)
    state = replace(state, refused="" if value is not None else asker.refused or state.refused)
    if values:
        return _store(
            draft, state, values, f"{spec.name} answered" if value is not None else "answered another question"
        )
    if others_match and not asker.refused:
        return NOT_TAKEN
    if asker.refused and spec.refused:
        return _refused(draft, form, state, spec.refused)
    if is_question(found):
        return NOT_TAKEN
    if spec.type in ("time", "date") and names_a_day(found.tokens):
        return _refused(draft, form, state, spec.invalid or spec.ask)
    return _try_again(draft, form, state, spec.invalid or spec.ask)


def _refused(draft: Draft, form: Form, state: FormState, response: str) -> FormTurn:
    """A moment was understood, in part at least, and is not possible: only every second one counts as a failure."""
    state = replace(state, refusals=state.refusals + 1)
    if state.refusals % 2 == 0:
        return _try_again(draft, form, state, response)
    draft.change(form=state)
    draft.say(response)
    return FormTurn(True, "asked again")


def _mended(
    form: Form, spec: SlotSpec, state: FormState, text: str, found: Found, asker: Asker
) -> dict[str, SlotValue]:
    """Answers from before that the message changes: "Friday at 2, and use 020 7946 0999 instead"."""
    known = {name: value for name, value in state.values.items() if name != spec.name}
    changed = read_corrections(form, known, text, found.held, asker)
    return {name: value for name, value in changed.items() if name in known and _contact(form, name)}


def _contact(form: Form, name: str) -> bool:
    """Only what cannot be taken for something else: a time may belong to the story. A text must name its slot."""
    return any(spec.name == name and spec.type in ("phone", "email", "text") for spec in form.slots)


def _taken_back(form: Form, spec: SlotSpec, state: FormState, text: str, found: Found) -> dict[str, SlotValue]:
    """The answer to the question before, said anew: "actually it's Rob"."""
    answered = [slot for slot in form.slots[: form.slots.index(spec)] if slot.name in state.values]
    value = corrected_answer(answered[-1], text, found.held) if answered else None
    return {answered[-1].name: value} if value is not None else {}


def is_question(found: Found) -> bool:
    """ "can not print" and "is not working" leave out who or what: they are statements."""
    asks = found.tokens[:1] in _QUESTIONS and found.tokens[1:2] != ("not",)
    return asks or found.tokens[-1:] == ("?",)


def _asks_back(spec: SlotSpec, found: Found) -> bool:
    """Nobody is called "why do you need that?"; a summary may be a question, but not one about our asking."""
    if is_name(spec):
        return found.tokens[:1] in _QUESTIONS and len(found.tokens) > 1  # Will is a name
    return found.tokens[:1] in (("why",), ("what",)) and "you" in found.tokens


def _no_name(draft: Draft, found: Found) -> bool:
    """ "no", "ok then". The block for yes is not asked: in one language or another, it knows Jo, Si and Hai."""
    words = draft.bot.form_words
    if not any(map(str.isalpha, draft.message.text)):
        return True
    if words is None or len(found.tokens) > _SHORT:
        return False
    return words.no in found.held or not _AGREED.isdisjoint(found.tokens)


def _says_nothing(draft: Draft, spec: SlotSpec, found: Found) -> bool:
    """A bare "yes" or "no" is no title and no story; but "what else?" may be answered by "nothing"."""
    words, last = draft.bot.form_words, spec.name.split("_")[-1]
    if words is None or spec.type != "text" or last not in _TITLES | _STORIES:
        return False
    return _only(found, (words.yes, words.no) if last in _TITLES else (words.yes,))


def _only_said(draft: Draft, found: Found, *, yes: bool) -> bool:
    words = draft.bot.form_words
    return words is not None and _only(found, (words.yes if yes else words.no,))


def _only(found: Found, blocks: Sequence[int]) -> bool:
    """Whether a message is nothing but one of these, politely."""
    held = [found.held[block] for block in blocks if block in found.held]
    said = {at for block in held for hit in block.hits for at in range(hit.start, hit.end)}
    return bool(said) and all(at in said or word in _POLITE for at, word in enumerate(found.tokens))


def _confirming(draft: Draft, form: Form, state: FormState, found: Found, others_match: bool) -> FormTurn:
    words = draft.bot.form_words
    yes, no = _yes_or_no(found, words) if words is not None else (False, False)
    asker = Asker(draft.bot, draft.session, draft.now)
    changed = read_corrections(form, state.values, draft.message.text, found.held, asker)
    if changed:
        return _store(draft, replace(state, refused=""), changed, "corrected")
    if asker.refused:
        spec = next(slot for slot in form.slots if slot.in_hours)
        return _ask_anew(draft, replace(state, refused=asker.refused), spec)
    named = named_slot(form, found.tokens)
    if named is not None and (no or state.tries or _CHANGES & set(found.tokens)):
        return _ask_anew(draft, state, named)
    if yes and state.rejected:
        draft.ask_next()
        return FormTurn(True, "confirmation asked anew after a no")
    if yes:
        draft.finish_form()
        return FormTurn(True, "confirmed")
    if no:
        return _try_again(
            draft, form, replace(state, rejected=form.change is not None), form.change or form.confirm or ""
        )
    if others_match or is_question(found):
        return NOT_TAKEN
    return _try_again(draft, form, replace(state, rejected=False), form.confirm or "")


def _ask_anew(draft: Draft, state: FormState, spec: SlotSpec) -> FormTurn:
    """One answer is wrong, and the right one was not given yet."""
    values = {name: value for name, value in state.values.items() if name != spec.name}
    draft.change(form=replace(state, values=values, asking=None, tries=0))
    draft.ask_next()
    return FormTurn(True, f"{spec.name} asked anew")


def collected(draft: Draft, form: Form, state: FormState, found: Found) -> FormTurn:
    """Answers to questions that the channel asked by itself; those that make no sense are asked for one by one."""
    asker = Asker(draft.bot, draft.session, draft.now)
    values: dict[str, SlotValue] = {}
    for spec in form.slots:
        text = draft.message.answers.get(spec.name, "")
        value = read_answer(spec, text, found.held if spec.type != "choice" else {}, asker) if text else None
        if value is not None:
            values[spec.name] = value
    draft.change(form=replace(state, values={**state.values, **values}, tries=1, refused=asker.refused))
    draft.ask_next()
    return FormTurn(True, "answered in one go")


def _yes_or_no(found: Found, words: FormWords) -> tuple[bool, bool]:
    """What was said first counts: "yes, no problem" is a yes. "Not sure" is none."""
    yes, no = (_first_of(found, block) for block in (words.yes, words.no))
    if yes is not None and yes > 0 and found.tokens[yes - 1] in NEGATIONS:
        yes = None
    if yes is None or no is None:
        return yes is not None, no is not None
    return yes < no, no <= yes


def _first_of(found: Found, block: int) -> int | None:
    held = found.held.get(block)
    return min(hit.start for hit in held.hits) if held is not None else None


def _store(draft: Draft, state: FormState, values: dict[str, SlotValue], note: str) -> FormTurn:
    draft.change(form=replace(state, values={**state.values, **values}, tries=0))
    draft.ask_next()
    return FormTurn(True, note)


def _try_again(draft: Draft, form: Form, state: FormState, response: str) -> FormTurn:
    tries = state.tries + 1
    if tries >= form.retries:
        draft.change(form=None)
        draft.run(form.gave_up)
        return FormTurn(True, "gave up")
    draft.change(form=replace(state, tries=tries))
    if response:
        draft.say(response)
    return FormTurn(True, "asked again")


def not_understood(draft: Draft) -> None:
    """A question in between that nobody could answer: the form asks again, and gives up as it would otherwise."""
    state = draft.session.form
    if state is None:
        return
    form = draft.bot.forms[state.form]
    spec = next((slot for slot in form.slots if slot.name == state.asking), None)
    state = replace(state, rejected=False)
    _try_again(draft, form, state, (spec.invalid or spec.ask) if spec is not None else form.confirm or "")


def go_on(draft: Draft, before: FormState) -> None:
    """After a question in between: the form asks again, unless the rule moved the conversation on."""
    state = draft.session.form
    if state is None or state.form != before.form:
        return
    form = draft.bot.forms[state.form]
    asking = next((slot.ask for slot in form.slots if slot.name == state.asking), form.confirm)
    if asking:
        draft.change(form=replace(state, rejected=False))
        draft.say(asking)
