"""What happened in this case?"""

from dashboards import address
from dashboards.components import definition, page
from dashboards.components.case_list import case_list
from dashboards.components.case_view import case_view
from miner import case, cases

selection = page("Cases", "Which cases are there, and what happened in one of them?")
chosen = address.kept("case")
if chosen is None:
    case_list(selection)
    definition(cases)
else:
    case_view(selection, chosen)
    definition(case)
