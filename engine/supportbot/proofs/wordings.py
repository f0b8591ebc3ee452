"""What the bot says: texts that are missing in a language, said twice, or too long for the buttons of a channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from supportbot.diagnostics import Diagnostic, Related, warning
from supportbot.model.bot import Bot, Response, Wording
from supportbot.model.steps import Template

# How many buttons a channel shows, and how many characters of each.
BUTTONS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"whatsapp": (10, 20), "facebook": (13, 20), "instagram": (13, 20), "messenger": (13, 20)}
)
MOST_NAMED = 6


def find_odd_wordings(bot: Bot) -> list[Diagnostic]:
    """Findings about responses."""
    return [
        *_untranslated(bot),
        *(finding for response in bot.responses.values() for finding in _twice(response)),
        *_buttons(bot),
    ]


def _untranslated(bot: Bot) -> Iterator[Diagnostic]:
    for language in bot.settings.languages:
        if language == bot.settings.language:
            continue
        missing = [item for item in bot.responses.values() if all(key[0] != language for key in item.wordings)]
        if not missing:
            continue
        names = ", ".join(item.id for item in missing[:MOST_NAMED])
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        yield warning(
            "missing-translation",
            missing[0].place,
            f"{len(missing)} of {len(bot.responses)} responses have no text in '{language}': {names}{more}",
            f'add languages: {{{language}: {{text: "..."}}}} to each, or take it out of `languages` in supportbot.yaml',
            *(Related(item.place, f"'{item.id}' has none either") for item in missing[1:MOST_NAMED]),
        )


def _twice(response: Response) -> Iterator[Diagnostic]:
    for wording in response.wordings.values():
        yield from _repeated(wording.variants, "variant", "visitors cannot tell them apart")
        yield from _repeated(wording.suggestions, "suggestion", "visitors would see two equal buttons")


def _repeated(templates: tuple[Template, ...], what: str, why: str) -> Iterator[Diagnostic]:
    seen: dict[str, Template] = {}
    for template in templates:
        first = seen.setdefault(template.source.strip(), template)
        if first is not template:
            yield warning(
                "repeated-wording",
                template.place,
                f"this {what} stands here twice: {why}",
                "remove one, or word it differently",
                Related(first.place, "it stands here first"),
            )


def _buttons(bot: Bot) -> Iterator[Diagnostic]:
    """Only for channels that some response names: the others may never be used."""
    named = {channel for item in bot.responses.values() for _, channel in item.wordings if channel in BUTTONS}
    for channel in sorted(name for name in named if name):
        most, longest = BUTTONS[channel]
        for response in bot.responses.values():
            for wording in _shown_on(response, channel):
                yield from _too_many(wording, channel, most)
                for suggestion in wording.suggestions:
                    if suggestion.literal and len(suggestion.source) > longest:
                        yield warning(
                            "suggestion-too-long",
                            suggestion.place,
                            f"the suggestion '{suggestion.source}' has {len(suggestion.source)} characters; "
                            f"a button on {channel} shows {longest}",
                            f"shorten it, or give the response other suggestions under channels: {{{channel}: ...}}",
                        )


def _too_many(wording: Wording, channel: str, most: int) -> Iterator[Diagnostic]:
    if len(wording.suggestions) > most:
        yield warning(
            "too-many-suggestions",
            wording.suggestions[most].place,
            f"this is suggestion number {most + 1}; {channel} shows at most {most} buttons",
            f"remove some, or give the response fewer under channels: {{{channel}: ...}}",
        )


def _shown_on(response: Response, channel: str) -> Iterator[Wording]:
    """The wording that a channel shows, by language."""
    for language in dict.fromkeys(language for language, _ in response.wordings):
        wording = response.wordings.get((language, channel)) or response.wordings.get((language, None))
        if wording is not None:
            yield wording
