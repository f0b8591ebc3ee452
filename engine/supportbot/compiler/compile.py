"""Documents -> Bot, or everything that is wrong with them.

Order matters twice: ids are defined before any is looked up, and names in templates are checked
after everything that fills a slot was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from supportbot.compiler.actions import compile_actions, define_actions
from supportbot.compiler.blocks import IndexBuilder
from supportbot.compiler.categories import compile_categories, define_categories
from supportbot.compiler.causes import lost_kinds, together
from supportbot.compiler.connections import compile_connections
from supportbot.compiler.context import Context
from supportbot.compiler.forms import compile_forms, compile_words, define_forms
from supportbot.compiler.graph import compile_graph, define_graph
from supportbot.compiler.handlers import asks_model, compile_handlers, define_handlers
from supportbot.compiler.nodes import named, section, text
from supportbot.compiler.overall import check_guide_steps, check_prompts, check_slot_types
from supportbot.compiler.responses import compile_responses, define_responses
from supportbot.compiler.settings import compile_settings, languages_of, typos_of
from supportbot.compiler.triggers import Firing
from supportbot.config.collecting import no_garbage_collection
from supportbot.config.folder import BotFiles, read_bot
from supportbot.config.yaml_nodes import YamlMap
from supportbot.diagnostics import Diagnostic, Place, in_order
from supportbot.model.bot import Bot, Handler


@dataclass(frozen=True, slots=True)
class Compiled:
    """``bot`` is None exactly when a diagnostic is an error. ``files``: how many were read."""

    bot: Bot | None
    diagnostics: tuple[Diagnostic, ...]
    files: int


def load_bot(root: Path) -> Compiled:
    """Read and compile the bot of a folder. Never raises for any content."""
    return compile_bot(read_bot(root))


def compile_bot(files: BotFiles) -> Compiled:
    """Compile documents that were read. Never raises for any content."""
    with no_garbage_collection():
        return _compile(files)


def _compile(files: BotFiles) -> Compiled:
    by_kind = _Documents(files)
    settings = next(iter(by_kind("settings")), YamlMap(Place("supportbot.yaml")))
    context = Context(IndexBuilder(typos_of(settings)), {item.file: item.source for item in files.documents})
    for name, source in files.prompts.items():
        context.sources[f"prompts/{name}"] = source
    context.refs.lost = lost_kinds(files)
    _define(by_kind, context)
    make = _parts(by_kind, settings, files, context)
    found = in_order(together(files.diagnostics, context))
    broken = any(item.severity == "error" for item in found)
    return Compiled(None if broken else make(), found, files.count)


class _Documents:
    """The mappings of the documents, by kind and in the order of the files."""

    def __init__(self, files: BotFiles) -> None:
        self._found: dict[str, list[YamlMap]] = {}
        for item in files.documents:
            self._found.setdefault(item.kind, []).append(item.data)

    def __call__(self, kind: str) -> list[YamlMap]:
        return self._found.get(kind, [])


Define = Callable[[Sequence[YamlMap], Context], None]
DEFINE: tuple[tuple[str, Define], ...] = (
    ("states", define_graph),
    ("category", define_categories),
    ("handlers", define_handlers),
    ("responses", define_responses),
    ("forms", define_forms),
    ("actions", define_actions),
)


def _define(documents: _Documents, context: Context) -> None:
    for kind, define in DEFINE:
        define(documents(kind), context)
    for node in documents("lists"):
        found = section(node, "lists")
        for name, _, place in named(found):
            context.refs.define("list", name, place)
        if found is not None:
            context.builder.add_lists(found, context.sources.get(found.place.file, ""))


def _parts(documents: _Documents, settings_node: YamlMap, files: BotFiles, context: Context) -> Callable[[], Bot]:
    """Compile every part; what is returned puts them together, which only a bot without errors allows."""
    settings = compile_settings(settings_node, files.prompts, context)
    graph = compile_graph(documents("states"), context)
    firing = Firing(graph, settings.guides.start, context)
    firing.check_timeouts(documents("states"))
    categories, guides = compile_categories(documents("category"), files.prompts, firing, context)
    handlers = compile_handlers(documents("handlers"), firing, context)
    responses = compile_responses(documents("responses"), languages_of(settings_node), context)
    forms = compile_forms(documents("forms"), context)
    words = compile_words(documents("forms"), context)
    connections = compile_connections(documents("actions"), context)
    actions = compile_actions(documents("actions"), context)
    check_guide_steps(documents("category"), settings.limits.attempts, context)
    check_slot_types(forms, context)
    check_prompts(files.prompts, settings_node, documents("category"), context)
    context.check_templates()
    index = context.builder.build()
    context.refs.used["list"] = context.builder.used_lists
    context.refs.report_unused()
    if not context.refs.lost & {"handler", "settings"}:
        _check_fallback(settings_node, handlers, documents, context)
    return lambda: Bot(
        revision=files.revision,
        settings=settings,
        graph=graph,
        categories=MappingProxyType(categories),
        guides=MappingProxyType(guides),
        handlers=handlers,
        responses=MappingProxyType(responses),
        forms=MappingProxyType(forms),
        form_words=words,
        connections=MappingProxyType(connections),
        actions=MappingProxyType(actions),
        slots=frozenset(context.slots) | frozenset(context.builder.captured),
        index=index,
    )


def _check_fallback(settings: YamlMap, handlers: Sequence[Handler], documents: _Documents, context: Context) -> None:
    """Something must answer when no rule fits."""
    if asks_model(handlers):
        return
    place = next(_places(documents("handlers")), Place("handlers.yaml"))
    message = "no handler has `llm: true`"
    if not text(settings, "fallback"):
        hint = "add a handler that does [{llm: true}], or name a response: fallback: no_answer in supportbot.yaml"
        context.refs.error("missing-fallback", place, f"{message}: nothing answers when no rule fits", hint)
    elif text(section(settings, "llm") or settings, "model"):
        hint = "add a handler with priority: 100 that does [{llm: true}]"
        context.refs.warn("missing-fallback", place, f"{message}: the model in supportbot.yaml is never asked", hint)


def _places(documents: Sequence[YamlMap]) -> Iterator[Place]:
    for document in documents:
        yield document.values_at.get("handlers", document.place)
