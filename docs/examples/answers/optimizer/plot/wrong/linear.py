# A linear axis, and the labels are swapped.
# fails: test_line, test_labels
def plot_losses(losses):
    plt.plot(losses)
    plt.xlabel("loss")
    plt.ylabel("epoch")
