"""rules/forms.yaml: questions that fill slots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from supportbot.compiler.context import Context
from supportbot.compiler.nodes import flag, key_place, maps, named, section, text, texts, value_place, whole
from supportbot.compiler.steps import compile_steps
from supportbot.compiler.templates import COMMON
from supportbot.config.yaml_nodes import YamlMap
from supportbot.diagnostics import correction
from supportbot.model.bot import SLOT_TYPES, Form, FormWords, SlotSpec, SlotType

RETRIES = 3
MAX_CHARS = 500  # longer answers are cut
CARDS = {
    "tel": ("phone", "text"),
    "email": ("email", "text"),
    "select": ("choice",),
    "calendar": ("time", "date"),
    "timeslots": ("time",),
    "date-timeslots": ("time",),
    "star-rating": ("rating", "number"),
    "happiness-rating": ("rating",),
    "like": ("rating",),
}
VISITOR = COMMON["visitor"] or frozenset()
PREFILLS = frozenset({"message", "slots", *(f"visitor.{key}" for key in VISITOR)})


def define_forms(documents: Sequence[YamlMap], context: Context) -> None:
    for document in documents:
        for node in maps(document, "forms"):
            for name, place in texts(node, "id"):
                context.refs.define("form", name, place)


def compile_forms(documents: Sequence[YamlMap], context: Context) -> dict[str, Form]:
    made: dict[str, Form] = {}
    for document in documents:
        for node in maps(document, "forms"):
            form = _form(node, context)
            if context.refs.known("form").get(form.id) == form.place:
                made[form.id] = form
    return made


def compile_words(documents: Sequence[YamlMap], context: Context) -> FormWords | None:
    """How people say yes, no and cancel; None when no file says all three."""
    blocks: dict[str, int] = {}
    for document in documents:
        node = section(document, "words")
        for name, value, _ in named(node):
            if node is not None and name in ("yes", "no", "cancel") and name not in blocks:
                blocks[name] = context.block(value, value_place(node, name), ("form", name), 0)
    if len(blocks) == 3:
        return FormWords(blocks["yes"], blocks["no"], blocks["cancel"])
    forms = context.refs.known("form")
    for name in list(forms)[:1]:
        missing = ", ".join(word for word in ("yes", "no", "cancel") if word not in blocks)
        hint = 'add e.g. words: {yes: ["yes"], no: ["no"], cancel: ["cancel", "stop"]}'
        message = f"there are forms, but no `words` for {missing}: nobody could confirm or leave them"
        context.refs.error("missing-words", forms[name], message, hint)
    return None


def _form(node: YamlMap, context: Context) -> Form:
    name = text(node, "id")
    return Form(
        id=name,
        slots=tuple(_slots(node, name, context)),
        confirm=_response(node, "confirm", context),
        change=_response(node, "change", context),
        retries=whole(node, "retries", RETRIES),
        done=compile_steps(node, "done", context),
        cancelled=compile_steps(node, "cancelled", context),
        gave_up=compile_steps(node, "gave_up", context),
        place=value_place(node, "id"),
        title=text(node, "title") or name,
    )


def _slots(node: YamlMap, form: str, context: Context) -> Iterator[SlotSpec]:
    seen: set[str] = set()
    for item in maps(node, "slots"):
        spec = _slot(item, form, context)
        if spec is not None and spec.name in seen:
            message = f"the form '{form}' asks for '{spec.name}' twice"
            context.refs.error("duplicate-id", spec.place, message, "remove one of them or give it another name")
        elif spec is not None:
            seen.add(spec.name)
            yield spec


def _slot(node: YamlMap, form: str, context: Context) -> SlotSpec | None:
    name, kind, place = text(node, "name"), _type(node), value_place(node, "name")
    if name:
        context.fill(name, place)
    ask, invalid = _response(node, "ask", context), _response(node, "invalid", context)
    choices = tuple(_choices(node, f"{form}.{name}", context))
    prefill, card = tuple(_prefill(node, context)), text(node, "card")
    if kind == "choice" and not choices:
        hint = "add choices: {value: [how people say it]}"
        context.refs.error("missing-choices", place, f"the slot '{name}' is a choice, but has no choices", hint)
    if not name or kind is None or ask is None:
        return None
    _check_keys(node, name, kind, context)
    return SlotSpec(
        name=name,
        type=kind,
        ask=ask,
        invalid=invalid,
        prefill=prefill,
        choices=choices,
        optional=flag(node, "optional"),
        max_chars=whole(node, "max_chars", MAX_CHARS),
        place=place,
        in_hours=flag(node, "in_hours"),
        refused=_response(node, "refused", context),
        card={"none": ""}.get(card, card) if card else None,
    )


def _check_keys(node: YamlMap, name: str, kind: SlotType, context: Context) -> None:
    """Keys that a slot of this type does nothing with."""
    moment, card = kind in ("time", "date"), text(node, "card")
    if flag(node, "in_hours") and not moment:
        _idle(node, "in_hours", f"the slot '{name}' is a {kind}, which is no moment", "take it away", context)
    elif text(node, "refused") and not flag(node, "in_hours"):
        hint = "add in_hours: true, or take it away"
        _idle(node, "refused", f"the slot '{name}' refuses no moment", hint, context)
    if card in CARDS and kind not in CARDS[card]:
        hint = f"a {card} asks for {' or '.join(CARDS[card])}; without `card` the type decides"
        _idle(node, "card", f"the slot '{name}' is a {kind}, and a {card} does not ask for that", hint, context)


def _idle(node: YamlMap, key: str, why: str, hint: str, context: Context) -> None:
    context.refs.warn("idle-key", key_place(node, key), f"`{key}` does nothing here: {why}", hint)


def _type(node: YamlMap) -> SlotType | None:
    value = node.get("type", "text")
    return next((kind for kind in SLOT_TYPES if kind == value), None)


def _choices(node: YamlMap, owner: str, context: Context) -> Iterator[tuple[str, int]]:
    found = section(node, "choices")
    for value, data, _ in named(found):
        if found is not None:
            yield value, context.block(data, value_place(found, value), ("choice", f"{owner}.{value}"), 0)


def _prefill(node: YamlMap, context: Context) -> Iterator[str]:
    for source, place in texts(node, "prefill"):
        if source in PREFILLS:
            yield source
        else:
            hint = context.refs.hint("prefill", source, PREFILLS)
            message = f"a slot cannot be filled from '{source}'"
            context.refs.error("undefined-variable", place, message, hint, fix=correction(place, source, PREFILLS))


def _response(node: YamlMap, key: str, context: Context) -> str | None:
    name = text(node, key)
    return name if name and context.refs.use("response", name, value_place(node, key)) else None
