# print returns nothing.
# fails: test_number_of_images, test_number_of_rows, test_number_of_columns
n_images = print(x_train.shape[0])
n_rows = print(x_train.shape[1])
n_columns = print(x_train.shape[2])
