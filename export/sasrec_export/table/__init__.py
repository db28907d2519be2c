"""The item table in few bits: which transform it is held in, and how its entries are rounded. numpy only, but for one gradient."""
