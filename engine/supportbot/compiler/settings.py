"""supportbot.yaml: hours, limits, the model, what happens around guides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, time
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from supportbot.compiler.blocks import Typos
from supportbot.compiler.channels import compile_salesiq
from supportbot.compiler.context import Context
from supportbot.compiler.graph import duration
from supportbot.compiler.nodes import flag, maps, named, number, section, text, texts, value_place, whole
from supportbot.compiler.operations import compile_operations
from supportbot.compiler.quantities import day, span
from supportbot.compiler.steps import compile_steps
from supportbot.compiler.templates import PROMPT_EXTRAS
from supportbot.compiler.variables import variable_text
from supportbot.config.yaml_nodes import YamlMap
from supportbot.diagnostics import Place, correction, did_you_mean
from supportbot.model.bot import GuideFlow, Hours, Invariant, Limits, ModelSettings, Settings
from supportbot.model.steps import Step, Template

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
UTC: Final = "UTC"

Spans = tuple[tuple[time, time], ...]


def typos_of(node: YamlMap | None) -> Typos:
    """How typing mistakes are understood; the index needs this before anything else is compiled."""
    found = section(node, "typos")
    if found is None:
        return Typos()
    ignore = frozenset(word for word, _ in texts(found, "ignore"))
    return Typos(flag(found, "enabled", True), whole(found, "min_letters", 5), ignore)


def languages_of(node: YamlMap) -> tuple[str, ...]:
    """The languages of the bot, its own first."""
    own = text(node, "language") or "en"
    return tuple(dict.fromkeys([own, *(name for name, _ in texts(node, "languages"))]))


def compile_settings(node: YamlMap, prompts: Mapping[str, str], context: Context) -> Settings:
    languages = languages_of(node)
    salesiq, handover_failed = compile_salesiq(node, context)
    return Settings(
        name=text(node, "name"),
        language=languages[0],
        languages=languages,
        default_category=_default_category(node, context),
        greeting=_response(node, "greeting", context),
        fallback=_response(node, "fallback", context),
        hours=_hours(node, context),
        limits=_limits(section(node, "limits")),
        guides=_guides(section(node, "guides"), context),
        llm=_model(section(node, "llm"), prompts, context),
        invariants=tuple(_invariants(node)),
        server=MappingProxyType(dict(section(node, "server") or {})),
        operations=compile_operations(node, context),
        region=text(node, "region"),
        salesiq=salesiq,
        handover_failed=handover_failed,
    )


def _default_category(node: YamlMap, context: Context) -> str:
    for name, place in texts(node, "default_category"):
        return name if context.refs.use("category", name, place) else ""
    known = context.refs.known("category")
    if not known and "category" not in context.refs.lost:
        hint = "write rules/categories/other.yaml with category: other"
        context.refs.error("no-category", node.place, "the bot has no category", hint)
    return "other" if "other" in known else next(iter(known), "")


def _invariants(node: YamlMap) -> Iterator[Invariant]:
    for item in maps(node, "invariants"):
        for reach, place in texts(item, "reach"):
            yield Invariant(reach, whole(item, "turns", 1), place)


def _response(node: YamlMap, key: str, context: Context) -> str | None:
    name = text(node, key)
    return name if name and context.refs.use("response", name, value_place(node, key)) else None


# --- hours ----------------------------------------------------------------------------------


def _hours(node: YamlMap, context: Context) -> Hours:
    found = section(node, "hours")
    days = {number: _spans(found, name, context) for number, name in enumerate(WEEKDAYS)}
    return Hours(
        zone=_zone(node, context),
        days=MappingProxyType({number: spans for number, spans in days.items() if spans}),
        holidays=frozenset(_holidays(found, context)),
    )


def _spans(node: YamlMap | None, name: str, context: Context) -> Spans:
    made: list[tuple[time, time]] = []
    for value, place in texts(node, name):
        hours = span(value)
        if hours is None:
            hint = 'write "09:00-17:30"; hours past midnight belong to both days: "22:00-24:00" and "00:00-06:00"'
            context.refs.error("bad-time", place, f"{value!r} is not a span of hours", hint)
        else:
            made.append(hours)
    return tuple(sorted(made))


def _holidays(node: YamlMap | None, context: Context) -> Iterator[date]:
    for value, place in texts(node, "holidays"):
        found = day(value)
        if found is None:
            hint = 'write year, month and day: "2026-12-25"'
            context.refs.error("bad-date", place, f"{value!r} is not a day of the calendar", hint)
        else:
            yield found


def _zone(node: YamlMap, context: Context) -> ZoneInfo:
    for name, place in texts(node, "time_zone"):
        try:
            return ZoneInfo(name)
        except (LookupError, ValueError, OSError):
            hint = _zone_hint(name)
            context.refs.error("bad-time-zone", place, f"there is no time zone {name!r}", hint)
    return ZoneInfo(UTC)


def _zone_hint(name: str) -> str:
    """``London`` -> ``Europe/London``; else the nearest name as a whole."""
    # Etc/GMT+1 is an hour *behind* Greenwich, which nobody who writes GMT+1 means.
    zones = {zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")}
    last = name.strip().replace(" ", "_").lower()
    same_city = sorted(zone for zone in zones if zone.rpartition("/")[2].lower() == last)
    if same_city:
        return f"did you mean '{same_city[0]}'?"
    hint = did_you_mean(name[:80], zones)
    return hint if hint.startswith("did") else "write area and city, e.g. Europe/London or America/New_York"


# --- the rest -------------------------------------------------------------------------------


def _limits(node: YamlMap | None) -> Limits:
    if node is None:
        return Limits()
    usual = Limits()
    return Limits(
        attempts=whole(node, "attempts", usual.attempts),
        message_chars=whole(node, "message_chars", usual.message_chars),
        history=whole(node, "history", usual.history),
        session_minutes=number(node, "session_minutes", usual.session_minutes),
    )


def _guides(node: YamlMap | None, context: Context) -> GuideFlow:
    def trigger(key: str) -> str | None:
        found = next(texts(node, key), None)
        return found[0] if found and context.refs.use("trigger", *found) else None

    return GuideFlow(trigger("start"), trigger("next"), compile_steps(node, "exhausted", context))


def _model(node: YamlMap | None, prompts: Mapping[str, str], context: Context) -> ModelSettings:
    found = node if node is not None else YamlMap(Place("supportbot.yaml"))
    return ModelSettings(
        model=variable_text(text(found, "model"), value_place(found, "model"), context),
        fallbacks=tuple(variable_text(name, place, context) for name, place in texts(found, "fallbacks")),
        api_base=variable_text(text(found, "api_base"), value_place(found, "api_base"), context),
        deadline=duration(found, "deadline", 8.0, context),
        attempts=whole(found, "attempts", 2),
        max_tokens=whole(found, "max_tokens", 500),
        prompt_tokens=whole(found, "prompt_tokens", 6000),
        temperature=number(found, "temperature", 0.2),
        history=whole(found, "history", 8),
        system=_system(found, prompts, context),
        answered=compile_steps(found, "answered", context),
        unavailable=compile_steps(found, "unavailable", context),
        requests=MappingProxyType(_requests(section(found, "requests"), context)),
        spent=compile_steps(section(found, "budget"), "spent", context),
    )


def _requests(node: YamlMap | None, context: Context) -> dict[str, tuple[Step, ...]]:
    if node is None:
        return {}
    names = [name for name, _, place in named(node) if context.refs.identifier(name, place, "request")]
    return {name: compile_steps(node, name, context) for name in names}


def _system(node: YamlMap, prompts: Mapping[str, str], context: Context) -> Template | None:
    name = text(node, "system")
    source = prompt_text(node, "system", prompts, context)
    if source is None:
        return None
    lines = source.splitlines() or [""]
    place = Place(f"prompts/{name}", 1, 1, len(lines), len(lines[-1]) + 1)
    return context.template(source, place, PROMPT_EXTRAS)


def prompt_text(node: YamlMap, key: str, prompts: Mapping[str, str], context: Context) -> str | None:
    """The text of the file below prompts/ that a key names; an unknown one is reported."""
    name = text(node, key)
    if not name:
        return None
    if name not in prompts:
        hint = context.refs.hint("prompt", name, prompts) or "write the file into the folder prompts/"
        place = value_place(node, key)
        fix = correction(place, name, prompts)
        context.refs.error("unknown-prompt", place, f"there is no file prompts/{name}", hint, fix=fix)
        return None
    return prompts[name]
