"""The measurement of the layout finds what it counts, and nothing else."""

from pathlib import Path

from tools.measure_layout import Limits, format_table, list_functions, measure_layout

SOURCE = """
class Store:
    def __init__(self): ...

    @property
    def size(self): ...

    @size.setter
    def size(self, value): ...

    async def _read_rows(self): ...

    def rows(self):
        def sort(): ...
"""


def write_package(root: Path, package: str, **modules: str) -> None:
    (root / package).mkdir(parents=True)
    for name, source in modules.items():
        (root / package / f"{name}.py").write_text(source)


def test_properties_and_dunder_methods_do_not_count() -> None:
    assert sorted(list_functions(SOURCE)) == ["_read_rows", "rows", "sort"]


def test_what_exceeds_a_bound_is_named(tmp_path: Path) -> None:
    write_package(tmp_path, "safety_core", __init__="", store=SOURCE, long="x = 1\n" * 30)
    write_package(tmp_path, "service", app="def create_app(): ...\n")
    layout = measure_layout(tmp_path)
    assert layout.modules == {"safety_core": 2, "service": 1}
    assert layout.nouns == {"safety_core/store.py": ["rows"]}
    assert layout.verb_share == 0.75
    assert not layout.find_violations(Limits())
    strict = Limits(modules_per_folder=1, lines_per_module=20, median_lines=10, verb_share=0.9)
    assert layout.find_violations(strict) == [
        "safety_core: 2 modules",
        "safety_core/long.py: 30 lines",
        "median module: 14 lines",
        "functions that begin with a verb: 75.0%",
    ]


def test_the_table_names_the_most_crowded_folder_and_the_longest_module(tmp_path: Path) -> None:
    write_package(tmp_path, "safety_core", long="x = 1\n" * 30, short="")
    write_package(tmp_path, "service", app="def create_app(): ...\n")
    table = format_table(measure_layout(tmp_path))
    assert "| most modules in one folder | 2 (`safety_core`) |" in table
    assert "| lines of the longest module | 30 (`safety_core/long.py`) |" in table
    assert "| functions that begin with a verb | 100.0% |" in table
