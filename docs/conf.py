"""What sphinx needs to know; the pages themselves are written by crm_lib.pipeline.docs_site."""

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from pygments.lexers import TextLexer
from sphinx.util import logging

import crm_lib

project = "crm_lib"
version = release = crm_lib.__version__
project_copyright = "the authors of crm_lib, Apache-2.0"
language = "en"

extensions = ["myst_parser"]
myst_enable_extensions = ["attrs_inline", "dollarmath", "fieldlist"]
myst_dmath_allow_digits = False  # $5 and $6 are money
myst_heading_anchors = 3
suppress_warnings = ["ref.python"]  # an annotation such as Histories may mean two classes: then it is no link

add_module_names = False
highlight_language = "none"
html_theme = "pydata_sphinx_theme"
html_title = "crm_lib"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {
    "collapse_navigation": True,
    "navigation_depth": 2,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "article_footer_items": [],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "search_bar_text": "Search",
    "logo": {"text": "crm_lib"},
}
html_sidebars = {"index": []}


def set_formula(translator, node, is_block):
    "Set a formula as MathML, which browsers draw themselves: no script, no request."
    try:
        formula = tex2mathml(node.astext(), as_block=is_block)
    except MathError as error:
        logging.getLogger(__name__).warning("%s: write the formula otherwise", error, location=node)
        formula = ""
    begin, end = (
        ('<div class="formula" tabindex="0" role="region" aria-label="Formula">', "</div>") if is_block else ("", "")
    )
    translator.body.append(f"{begin}{formula}{end}")
    raise nodes.SkipNode


def setup(app):
    "Tell sphinx of the formulas, and of a language that nothing here can colour."
    app.add_lexer("m", TextLexer)  # Power Query
    app.add_html_math_renderer(
        "mathml",
        (lambda translator, node: set_formula(translator, node, False), None),
        (lambda translator, node: set_formula(translator, node, True), None),
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}


html_math_renderer = "mathml"
