# The argument is changed.
# fails: test_argument
def clean(table):
    table["area"] = pd.to_numeric(table["area"], errors="coerce").astype("float64")
    table = table[table["price"].notna()].reset_index(drop=True)
    table["area"] = table["area"].fillna(table["area"].median())
    table["rooms"] = table["rooms"].fillna(1).astype("int64")
    table["area_per_room"] = table["area"] / table["rooms"]
    return table
