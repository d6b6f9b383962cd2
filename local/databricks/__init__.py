"""databricks: the SQL Statement Execution API 2.0 for one machine, over tables read from files.

POST /api/2.0/sql/statements ─> Statement ─run in SQLite─> chunks of a JSON_ARRAY, inline or behind external links

`python -m local.databricks --samples samples/catalog --token dapi-local --warehouse local`
"""
