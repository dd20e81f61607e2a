"""What pages are put together from."""

from dashboards.components.definition import definition
from dashboards.components.downloads import downloads
from dashboards.components.figures import figure, key_figures
from dashboards.components.opening import page
from dashboards.components.tables import table

__all__ = ["definition", "downloads", "figure", "key_figures", "page", "table"]
