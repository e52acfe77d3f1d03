"""Reports: a run, or several beside each other, as one HTML page and as JSON.

The document is made from the run directory (:func:`report_document`) and the page from the
document alone, so both say the same. Import costs matplotlib and jinja2: import it when needed.
"""

from ludus.monitor.report.document import report_document
from ludus.monitor.report.page import render
from ludus.monitor.report.reading import RunData, read_run
from ludus.monitor.report.writing import Report, write_report

__all__ = [
    "Report",
    "RunData",
    "read_run",
    "render",
    "report_document",
    "write_report",
]
