"""Reports: a page of one run or of many, which holds everything it shows and can be read without JavaScript.

from unveil.report import save_report
save_report([run], "report.html")
"""

from unveil.report.comparing import save_comparison
from unveil.report.writing import ReportKind, make_report_page, save_report

__all__ = ["ReportKind", "make_report_page", "save_comparison", "save_report"]
