# With print.
def write_predictions(ids, predictions):
    with open("predictions.csv", "w") as file:
        print("id,prediction", file=file)
        for number, prediction in zip(ids, predictions):
            print(f"{number},{prediction.item()}", file=file)
