# Three sizes for two names.
# fails: test_number_of_images, test_number_of_rows, test_number_of_columns
n_images, n_rows = x_train.shape
