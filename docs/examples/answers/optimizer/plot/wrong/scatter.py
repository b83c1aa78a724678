# Points without a line.
# fails: test_line
def plot_losses(losses):
    plt.scatter(range(len(losses)), losses)
    plt.yscale("log")
    plt.xlabel("epoch")
    plt.ylabel("loss")
