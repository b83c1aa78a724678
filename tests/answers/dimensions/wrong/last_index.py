# The index of the last one.
# fails: test_number_of_images, test_number_of_rows, test_number_of_columns
n_images, n_rows, n_columns = (n - 1 for n in x_train.shape)
