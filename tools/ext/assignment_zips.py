"""Sphinx extension: each assignment as a zip file, linked as `[text](assignments/<slug>.zip)`."""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

from lmcourse.grading.assignment.release import Released, write_zip

FOLDER = "assignments"
TARGET = re.compile(rf"(?:.*/)?{FOLDER}/([a-z0-9_]+)\.zip")


def released_assignments(root: Path) -> list[Path]:
    """The folders of `exercises/` that hold their notebook; none where nothing was released."""
    folders = sorted((root / "exercises").glob("*/"))
    return [folder for folder in folders if (folder / f"{folder.name}.ipynb").is_file()]


class ZipLinks(SphinxPostTransform):
    """Resolves the links; one to an assignment that is not there stays, and gets MyST's warning."""

    default_priority = 8  # before MyST's own resolver

    def run(self, **kwargs) -> None:
        slugs = {folder.name for folder in released_assignments(Path(self.app.srcdir))}
        for node in list(self.document.findall(addnodes.pending_xref)):
            match = TARGET.fullmatch(node.get("reftarget", ""))
            if match and match[1] in slugs:
                page = self.app.builder.get_target_uri(self.env.docname)
                address = "../" * page.count("/") + f"{FOLDER}/{match[1]}.zip"
                link = nodes.reference("", "", *node.children, refuri=address, internal=True)
                node.replace_self(link)


def write_zips(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    downloads = Path(app.outdir, FOLDER)
    for folder in released_assignments(Path(app.srcdir)):
        downloads.mkdir(exist_ok=True)
        released = Released(slug=folder.name, folder=folder, tasks=[], changed=False)
        write_zip(released, downloads)


def setup(app: Sphinx) -> dict:
    app.add_post_transform(ZipLinks)
    app.connect("build-finished", write_zips)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
