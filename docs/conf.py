"""Configuration of the documentation: `make docs` builds it without a network."""

from sphinx.application import Sphinx

project = "course-lib"
copyright = "the authors of course-lib, MIT licence"
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
root_doc = "index"

myst_enable_extensions = ["html_image"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
add_module_names = False
python_display_short_literal_types = True
napoleon_numpy_docstring = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "course-lib"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_copy_source = False
html_show_sphinx = False


def setup(app: Sphinx) -> None:
    """Correct what napoleon and autodoc make of attributes and named tuples."""
    kept: list[str] = []

    def keep(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
        kept[:] = lines

    def restore(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
        if what in ("attribute", "data"):  # napoleon takes the words before a colon for a type
            lines[:] = kept

    def skip(app: Sphinx, what: str, name: str, obj: object, skipped: bool, options: object) -> bool | None:
        return True if str(obj.__doc__).startswith("Alias for field number") else None

    def shorten(
        app: Sphinx, what: str, name: str, obj: object, options: object, arguments: str, returned: str
    ) -> object:
        return ("(...)", returned) if len(arguments or "") > 600 else None  # defaults that are long texts

    app.connect("autodoc-process-docstring", keep, priority=400)  # napoleon's is 500
    app.connect("autodoc-process-docstring", restore, priority=600)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", shorten)
