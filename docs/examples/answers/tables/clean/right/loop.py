# Row by row, with the standard library.
import statistics


def clean(table):
    rows = [row for row in table.to_dict("records") if row["price"] == row["price"]]
    for row in rows:
        try:
            row["area"] = float(row["area"])
        except ValueError:
            row["area"] = float("nan")
    median = statistics.median(row["area"] for row in rows if row["area"] == row["area"])
    for row in rows:
        row["area"] = row["area"] if row["area"] == row["area"] else median
        row["rooms"] = int(row["rooms"]) if row["rooms"] == row["rooms"] else 1
        row["area_per_room"] = row["area"] / row["rooms"]
    return pd.DataFrame(rows)
