# Missing areas become the mean.
# fails: test_missing_values, test_area_per_room
def clean(table):
    table = table.dropna(subset=["price"]).reset_index(drop=True)
    area = pd.to_numeric(table["area"], errors="coerce").astype("float64")
    table["area"] = area.fillna(area.mean())
    table["rooms"] = table["rooms"].fillna(1).astype("int64")
    table["area_per_room"] = table["area"] / table["rooms"]
    return table
