# With the csv module.
import csv


def write_predictions(ids, predictions):
    with open("predictions.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "prediction"])
        writer.writerows(zip(ids.tolist(), predictions.tolist()))
