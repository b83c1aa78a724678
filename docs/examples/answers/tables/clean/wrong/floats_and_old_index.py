# The rows keep their numbers, and rooms stays float64.
# fails: test_rows, test_dtypes
def clean(table):
    table = table.dropna(subset=["price"])
    table["area"] = pd.to_numeric(table["area"], errors="coerce").astype("float64")
    table["area"] = table["area"].fillna(table["area"].median())
    table["rooms"] = table["rooms"].fillna(1)
    table["area_per_room"] = table["area"] / table["rooms"]
    return table
