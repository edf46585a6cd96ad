"""Sphinx extension: each number that a page measures lies in its band of tests/bands.csv."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path

from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)

TABLE = "tests/bands.csv"


@dataclass(frozen=True)
class Band:
    page: str
    name: str
    low: float
    high: float


def read_bands(path: Path) -> list[Band]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Band(row["page"], row["name"], float(row["low"]), float(row["high"]))
            for row in csv.DictReader(file)
        ]


def complaints(glued: dict[str, dict[str, str]], bands: list[Band]) -> list[tuple[str, str]]:
    """(page, what is wrong) for each number without a band or outside of it, and each stray band.

    Args:
        glued: for each page, the printed form of each glued value by its name.
    """
    table = {(band.page, band.name): band for band in bands}
    found = []
    if len(table) < len(bands):
        found.append(("", f"{TABLE} must have one row for each number, got {len(bands)} rows"
                          f" for {len(table)} names"))  # fmt: skip
    for page, values in glued.items():
        for name, text in values.items():
            problem = _problem(name, text, table.get((page, name)))
            if problem:
                found.append((page, problem))
    for band in bands:
        if band.name not in glued.get(band.page, {}):
            found.append((band.page, f"{band.name} must be glued by page {band.page}, got no such"
                                     f" value: correct or remove its row in {TABLE}"))  # fmt: skip
    return found


def _problem(name: str, text: str, band: Band | None) -> str:
    try:
        value = float(text)
    except ValueError:
        return f"{name} must be a plain number, got {text[:60]}: glue float(…) or int(…) of it"
    if band is None:
        return f"{name} must have a row in {TABLE}, got none: its value is {value:g}"
    if not math.isfinite(value) or not band.low <= value <= band.high:
        return f"{name} must lie between {band.low:g} and {band.high:g}, got {value:g}"
    return ""


def glued_numbers(outputs: dict[str, dict]) -> dict[str, str]:
    """The printed form of what a page glued, without its pictures and tables."""
    return {
        name: output["data"]["text/plain"]
        for name, output in outputs.items()
        if set(output["data"]) == {"text/plain"}
    }


def check_bands(app: Sphinx, env) -> None:
    glued, docnames = {}, {}
    for docname, data in NbMetadataCollector.get_doc_data(env).items():
        if docname in env.found_docs:
            page = docname.removeprefix("book/")
            docnames[page] = docname
            if data.get("glue"):
                path = Path(env.mystnb_config.output_folder, f"{docname}.glue.json")
                glued[page] = glued_numbers(json.loads(path.read_text(encoding="utf-8")))
    for page, message in complaints(glued, read_bands(Path(app.srcdir, TABLE))):
        log.warning(message, location=docnames.get(page))


def setup(app: Sphinx) -> dict:
    app.connect("env-updated", check_bands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
