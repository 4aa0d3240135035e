"""Whether no value of a writer can satisfy a schema of the reader, as far as is plain to see."""

from __future__ import annotations

from feedback_platform.events.schemas.compatibility import facts as f
from feedback_platform.events.schemas.compatibility.budget import MAX_DEPTH, Budget
from feedback_platform.events.schemas.compatibility.documents import Document
from feedback_platform.events.schemas.compatibility.facts import Case, property_schemas
from feedback_platform.events.schemas.json_schema.drafts import JSON


class Exclusion:
    """Tells alternatives apart: by type, by value, or by the value of a property."""

    def __init__(self, reader: Document, writer: Document, budget: Budget) -> None:
        self._reader = reader
        self._writer = writer
        self._budget = budget

    def holds(self, schema: JSON, case: Case, depth: int) -> bool:
        """Return whether no value of a case can satisfy a schema, as far as is plain to see."""
        self._budget.spend()
        if not isinstance(schema, dict) or depth > MAX_DEPTH:
            return schema is False
        if "type" in schema and case.kind not in f.kinds_of_type(schema["type"]):
            return True
        if self._excludes_literals(schema, case):
            return True
        conditions = list(schema.get("allOf", ()))
        if "$ref" in schema:
            conditions.append(self._reader.target(schema["$ref"], self._budget))
        if any(self.holds(part, case, depth + 1) for part in conditions):
            return True
        for union in ("anyOf", "oneOf"):
            if union in schema and all(
                self.holds(branch, case, depth + 1) for branch in schema[union]
            ):
                return True
        return case.kind == f.OBJECT and self._holds_by_a_property(schema, case, depth)

    def _excludes_literals(self, schema: dict[str, JSON], case: Case) -> bool:
        """Return whether none of a case's values is among those that a schema names."""
        if case.literals is None:
            return False
        for keyword in ("const", "enum"):
            if keyword in schema:
                self._budget.spend(1 + len(case.literals) // 20)
                allowed = (
                    self._reader.allowed(schema["enum"])
                    if keyword == "enum"
                    else {self._reader.identity(schema["const"])}
                )
                if not any(literal.identity in allowed for literal in case.literals):
                    return True
        return False

    def _holds_by_a_property(self, schema: dict[str, JSON], case: Case, depth: int) -> bool:
        properties = schema.get("properties", {})
        self._budget.spend(1 + len(case.required) // 20)
        for name in case.required & properties.keys():
            written = property_schemas(case, name, self._budget)
            values = f.cases(written, self._writer, self._budget)
            if all(self.holds(properties[name], value, depth + 1) for value in values):
                return True
        allowed = case.allowed_names
        return allowed is not None and not allowed.issuperset(schema.get("required", ()))
