# The file has the index as an additional column.
# fails: test_header, test_rows
def write_predictions(ids, predictions):
    pd.DataFrame({"id": list(ids), "prediction": predictions.numpy()}).to_csv("predictions.csv")
