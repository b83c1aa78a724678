# The number of classes.
# fails: test_number_of_columns
n_images, n_rows = len(x_train), 28
n_columns = 10
