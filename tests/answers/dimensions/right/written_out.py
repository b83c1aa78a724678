# The numbers, read off and written down.
n_images = 60000
n_rows = 28
n_columns = 28
