"""rules/categories/*.yaml: categories and their guides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from supportbot.compiler.context import Context
from supportbot.compiler.nodes import flag, maps, text, texts, value_place, whole
from supportbot.compiler.settings import prompt_text
from supportbot.compiler.steps import compile_steps
from supportbot.compiler.triggers import Firing
from supportbot.compiler.when import allowed_states, compile_examples, compile_when
from supportbot.config.yaml_nodes import YamlMap
from supportbot.model.bot import Category, Guide

DEFAULT_PRIORITY = 50


def define_categories(documents: Sequence[YamlMap], context: Context) -> None:
    for document in documents:
        for name, place in texts(document, "category"):
            context.refs.define("category", name, place)
        for guide in maps(document, "guides"):
            for name, place in texts(guide, "id"):
                context.refs.define("guide", name, place)


def compile_categories(
    documents: Sequence[YamlMap], prompts: Mapping[str, str], firing: Firing, context: Context
) -> tuple[dict[str, Category], dict[str, Guide]]:
    """Categories and guides by id. Guides are numbered through all files."""
    categories: dict[str, Category] = {}
    guides: dict[str, Guide] = {}
    for order, document in enumerate(documents):
        made = list(_guides(document, len(guides), firing, context))
        guides |= {guide.id: guide for guide in made}
        category = _category(document, order, tuple(guide.id for guide in made), prompts, context)
        if context.refs.known("category").get(category.id) == category.place:
            categories[category.id] = category
    return categories, guides


def _category(
    node: YamlMap, order: int, guides: tuple[str, ...], prompts: Mapping[str, str], context: Context
) -> Category:
    name = text(node, "category")
    match = node.get("match")
    return Category(
        id=name,
        title=text(node, "title") or name,
        priority=whole(node, "priority", DEFAULT_PRIORITY),
        order=order,
        block=None if match is None else context.block(match, value_place(node, "match"), ("category", name), 0),
        prompt=prompt_text(node, "prompt", prompts, context),
        guides=guides,
        examples=compile_examples(node, context),
        place=value_place(node, "category"),
    )


def _guides(document: YamlMap, first: int, firing: Firing, context: Context) -> Iterator[Guide]:
    category = text(document, "category")
    for order, node in enumerate(maps(document, "guides"), first):
        guide = _guide(node, category, order, context)
        if guide.steps:
            firing.check_start(guide.place, allowed_states(guide.when))
        firing.check(node, "do", allowed_states(guide.when))
        if context.refs.known("guide").get(guide.id) == guide.place and category in context.refs.known("category"):
            yield guide


def _guide(node: YamlMap, category: str, order: int, context: Context) -> Guide:
    name = text(node, "id")
    context.refs.only_one(node, "match", "when", "guide")
    context.refs.only_one(node, "steps", "do", "guide")
    context.refs.only_one(node, "steps", "small_talk", "guide")
    if "steps" not in node and "do" not in node:
        hint = "add steps: [response, ...], or do: [{reply: response}]"
        context.refs.error("empty-guide", value_place(node, "id"), f"the guide '{name}' does nothing", hint)
    return Guide(
        id=name,
        category=category,
        order=order,
        when=compile_when(node, ("guide", name), context),
        steps=tuple(item for item, place in texts(node, "steps") if context.refs.use("response", item, place)),
        do=compile_steps(node, "do", context),
        examples=compile_examples(node, context),
        place=value_place(node, "id"),
        title=text(node, "title") or name,
        small_talk=flag(node, "small_talk"),
    )
