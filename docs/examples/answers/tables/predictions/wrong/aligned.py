# ids and predictions are combined by their index.
# fails: test_rows
def write_predictions(ids, predictions):
    table = pd.DataFrame({"id": ids, "prediction": pd.Series(predictions.numpy(), sorted(ids.index))})
    table.to_csv("predictions.csv", index=False)
