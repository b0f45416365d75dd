"""Tables of the report: results, variants, costs; as Markdown, CSV and LaTeX."""
