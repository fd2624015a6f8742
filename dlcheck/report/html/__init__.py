"""The reports as HTML: one file each that opens offline; templates by Jinja, charts by Vega-Lite."""
