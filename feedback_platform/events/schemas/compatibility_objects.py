"""What a case of a writer's schema says of the members of objects and the items of arrays."""

from __future__ import annotations

from feedback_platform.events.schemas.compatibility_facts import JSON, Case


def property_schemas(case: Case, name: str | None) -> list[JSON]:
    """Return the schemas that the value of a property satisfies, all of them at once.

    Args:
        case: of objects.
        name: of the property; None for one that no fact names.

    Returns:
        Nothing where the property may be anything; `False` among them where there can be none.
    """
    found: list[JSON] = []
    for fact in case.facts:
        properties = fact.get("properties", {})
        if name is not None and name in properties:
            found.append(properties[name])
        elif (schema := _schema_of_unnamed(fact)) is not True:
            found.append(schema)
    return found


def allowed_names(case: Case) -> set[str] | None:
    """Return the only properties that objects of a case may have, or None where any may come."""
    closed = [
        set(fact.get("properties", {}))
        for fact in case.facts
        if fact.get("additionalProperties") is False and not fact.get("patternProperties")
    ]
    return set.intersection(*closed) if closed else None


def item_schemas(schema: dict[str, JSON]) -> tuple[list[JSON], JSON]:
    """Return the schemas of an array's first items, and the one of all others.

    Until 2019 a list under `items` meant the first ones and `additionalItems` the others; since
    then `prefixItems` means the first ones and `items` the others.
    """
    if "prefixItems" in schema:
        return schema["prefixItems"], schema.get("items", True)
    items = schema.get("items", True)
    if isinstance(items, list):
        return items, schema.get("additionalItems", True)
    return [], items


def _schema_of_unnamed(fact: dict[str, JSON]) -> JSON:
    additional = fact.get("additionalProperties", True)
    patterns = fact.get("patternProperties", {})
    # Which names a pattern means is not worked out: a hostile pattern may take for ever.
    if patterns and additional is not True:
        return {"anyOf": [additional, *patterns.values()]}
    return additional
