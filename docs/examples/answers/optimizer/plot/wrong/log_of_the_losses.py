# The logarithm of the losses on a linear axis.
# fails: test_line
def plot_losses(losses):
    plt.plot(torch.tensor(losses).log())
    plt.xlabel("epoch")
    plt.ylabel("log of the loss")
