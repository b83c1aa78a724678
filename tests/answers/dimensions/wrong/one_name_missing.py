# A misspelled name.
# fails: test_number_of_columns
n_images, n_rows, n_column = x_train.shape
