# The answer to a comparison.
# fails: test_number_of_images, test_number_of_rows, test_number_of_columns
n_images = x_train.shape[0] == 60000
n_rows = x_train.shape[1] == 28
n_columns = x_train.shape[2] == 28
