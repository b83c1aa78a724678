# One chain of methods.
def clean(table):
    return (
        table[~table.price.isna()]
        .assign(area=lambda t: pd.to_numeric(t.area, errors="coerce").astype(float))
        .assign(
            area=lambda t: t.area.where(t.area.notna(), t.area.median()), rooms=lambda t: t.rooms.fillna(1).astype(int)
        )
        .eval("area_per_room = area / rooms")
        .reset_index(drop=True)
    )
