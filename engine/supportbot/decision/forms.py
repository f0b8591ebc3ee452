"""An open form takes the message: answers, confirmation, corrections, cancelling, giving up."""

from __future__ import annotations

from dataclasses import dataclass, replace

from supportbot.decision.answers import read_answer, read_corrections, read_extras, reading_of
from supportbot.decision.draft import Draft
from supportbot.decision.matcher import Found
from supportbot.model.bot import Form, FormWords, SlotSpec
from supportbot.model.session import FormState, SlotValue
from supportbot.model.text import NEGATIONS

CANCEL_WORDS = 6  # "cancel" inside a longer story is part of the story


@dataclass(frozen=True, slots=True)
class FormTurn:
    """``taken``: the form used the message. ``note`` says how, for the trace."""

    taken: bool
    note: str


NOT_TAKEN = FormTurn(False, "")


def take(draft: Draft, found: Found, others_match: bool) -> FormTurn:
    """Let the open form use the message. ``others_match``: a rule would answer it otherwise."""
    state = draft.session.form
    if state is None or state.form not in draft.bot.forms:
        draft.change(form=None)
        return NOT_TAKEN
    form = draft.bot.forms[state.form]
    words = draft.bot.form_words
    if words is not None and words.cancel in found.held and len(found.tokens) <= CANCEL_WORDS:
        draft.change(form=None)
        draft.run(form.cancelled)
        return FormTurn(True, "cancelled")
    if state.asking is None:
        return _confirming(draft, form, state, found, others_match)
    spec = next((slot for slot in form.slots if slot.name == state.asking), None)
    if spec is None:
        draft.ask_next()
        return FormTurn(True, "asked again")
    return _answering(draft, form, state, spec, found, others_match)


def _answering(
    draft: Draft, form: Form, state: FormState, spec: SlotSpec, found: Found, others_match: bool
) -> FormTurn:
    text = draft.message.text
    reading = reading_of(draft.bot, draft.now)
    is_question = found.tokens[-1:] == ("?",)
    if spec.type == "text" and is_question and others_match:
        return NOT_TAKEN
    value = read_answer(spec, text, found.held, reading)
    if value is None:
        extras = read_extras(form, {**state.values, spec.name: ""}, text, found.held, reading)
        if extras:
            return _store(draft, state, extras, "answered another question")
        if others_match:
            return NOT_TAKEN
        return _try_again(draft, form, state, spec.invalid or spec.ask)
    values = {spec.name: value}
    values |= read_extras(form, {**state.values, **values}, text, found.held, reading)
    return _store(draft, state, values, f"{spec.name} answered")


def _confirming(draft: Draft, form: Form, state: FormState, found: Found, others_match: bool) -> FormTurn:
    words = draft.bot.form_words
    yes, no = _yes_or_no(found, words) if words is not None else (False, False)
    reading = reading_of(draft.bot, draft.now)
    changed = read_corrections(form, state.values, draft.message.text, found.held, reading)
    if changed:
        return _store(draft, state, changed, "corrected")
    if yes:
        draft.finish_form()
        return FormTurn(True, "confirmed")
    if no:
        return _try_again(draft, form, state, form.change or form.confirm or "")
    if others_match:
        return NOT_TAKEN
    return _try_again(draft, form, state, form.confirm or "")


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


def go_on(draft: Draft, before: FormState) -> None:
    """After a question in between: the form asks again, unless the rule moved the conversation on."""
    state = draft.session.form
    if state is None or state.form != before.form:
        return
    form = draft.bot.forms[state.form]
    asking = next((slot.ask for slot in form.slots if slot.name == state.asking), form.confirm)
    if asking:
        draft.say(asking)
