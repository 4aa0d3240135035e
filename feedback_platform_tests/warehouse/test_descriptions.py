from __future__ import annotations

import duckdb

from feedback_platform_tests.warehouse.small_platform import SmallPlatform


def test_every_column_of_every_table_is_described_and_no_other(platform: SmallPlatform) -> None:
    platform.transform()
    manifest = platform.project.manifest
    nodes = [
        node
        for node in [*manifest["nodes"].values(), *manifest["sources"].values()]
        if node["resource_type"] in {"model", "seed", "source"}
    ]
    with duckdb.connect(platform.warehouse) as connection:
        present = {
            node["unique_id"]: connection.table(f"{node['schema']}.{node['name']}").columns
            for node in nodes
        }
    described = {
        node["unique_id"]: [
            name for name, column in node["columns"].items() if column["description"].strip()
        ]
        for node in nodes
    }

    assert len(nodes) > 20
    for node in nodes:
        assert node["description"].strip(), node["unique_id"]
        assert set(described[node["unique_id"]]) == set(present[node["unique_id"]]), node[
            "unique_id"
        ]
