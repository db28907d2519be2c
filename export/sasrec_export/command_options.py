"""Options that the commands of this package share."""

import click

__all__ = ["json_option", "keep_seen_option"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")

keep_seen_option = click.option(
    "--keep-seen", is_flag=True, help="Recommend items of the user's own history too, for logs with repeats."
)
