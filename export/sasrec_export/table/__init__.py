"""The item table in few bits: its transform, and how its entries are rounded. numpy only, but for one gradient."""
