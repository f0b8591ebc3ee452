"""The SalesIQ channel of a bot, its settings read from the environment: who may call, and how answers are worded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from supportbot.config.environment import Environment
from supportbot.decision.scope import scope_of
from supportbot.decision.wording import word
from supportbot.errors import SettingsError
from supportbot.model.bot import Bot
from supportbot.model.channels import SalesIQ
from supportbot.model.decision import Suggested
from supportbot.model.session import Session
from supportbot.server.options import Secret, Texts
from supportbot.server.signature import Keys, read_keys


@dataclass(frozen=True, slots=True)
class Department:
    """Who takes a hand-over: a department's id, or operators by their addresses; neither means anybody."""

    id: str = ""
    operators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """``settings`` as written; the rest with every ``${NAME}`` replaced."""

    settings: SalesIQ
    keys: Keys
    token: Secret
    department: Department
    departments: Mapping[str, Department]

    def allows(self, token: str) -> bool:
        return not self.token or self.token.same_as(token)

    def department_of(self, name: str | None, environment: Environment) -> Department:
        """By the name that a rule gave it, or its id; an unknown name means the usual department."""
        if not name:
            return self.department
        known = self.departments.get(name)
        if known is not None and known != Department():
            return known
        found = _department(_expanded(name, environment))
        return self.department if found == Department() or (found.id and not found.id.isdecimal()) else found


def read_channel(settings: SalesIQ, environment: Environment) -> Channel:
    """Raises SettingsError for a key that cannot be used: without it every caller would be believed."""
    missing = environment.missing(*settings.public_keys, settings.token)
    if missing:
        raise SettingsError(f"channels.salesiq needs {', '.join(missing)}: set it, or remove it from supportbot.yaml")
    return Channel(
        settings=settings,
        keys=read_keys(environment.expand(key) for key in settings.public_keys),
        token=Secret(environment.expand(settings.token)),
        department=_department(_expanded(settings.department, environment)),
        departments=MappingProxyType(
            {name: _department(_expanded(text, environment)) for name, text in settings.departments.items()}
        ),
    )


def _expanded(text: str, environment: Environment) -> str:
    return "" if environment.missing(text) else environment.expand(text).strip()


def _department(text: str) -> Department:
    if "@" not in text:
        return Department(text)
    return Department("", tuple(part.strip() for part in text.split(",") if "@" in part))


class Voice:
    """The server's own words in one conversation: a response of the bot where one is named, else the built-in text."""

    def __init__(self, bot: Bot, session: Session, texts: Texts) -> None:
        self.bot = bot
        self.session = session
        self._texts = texts

    def __call__(self, name: str) -> Suggested:
        """``name``: of model.channels.SERVER_TEXTS. Never empty."""
        return self.say(self.bot.settings.salesiq.texts.get(name, "")) or Suggested(str(getattr(self._texts, name)))

    def say(self, response: str | None) -> Suggested | None:
        """A response of the bot; None when there is none, or it has no words now."""
        if not response or response not in self.bot.responses:
            return None
        now = self.session.updated_at
        worded, _ = word(self.bot, self.session, response, lambda: scope_of(self.bot, self.session, now))
        return worded if worded.text.strip() else None
