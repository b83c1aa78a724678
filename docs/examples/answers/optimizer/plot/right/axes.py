# The figure is returned.
def plot_losses(losses):
    fig, ax = plt.subplots()
    ax.semilogy(range(1, len(losses) + 1), losses, "o-", label="training")
    ax.set(xlabel="Epoch", ylabel="Loss (mean squared error)", title="Training")
    ax.legend()
    return fig
