"""How `make docs` turns these pages into a site: Sphinx, MyST, Furo. Its reader fetches nothing from another site."""

from pygments.lexers.shell import BashLexer
from sphinx.application import Sphinx

project = "Maskline"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
myst_links_external_new_tab = True
nitpicky = True
html_theme = "furo"
html_title = "Maskline"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0f766e", "color-brand-content": "#0f766e"},
    "dark_css_variables": {"color-brand-primary": "#5eead4", "color-brand-content": "#5eead4"},
}


def setup(app: Sphinx) -> None:
    app.add_lexer("curl", BashLexer)
