def test_a(db):
    print(db.execute("select version(), current_user").fetchone(), db.info.dsn)
def test_b(db):
    assert db.execute("select count(*) n from items").fetchone()["n"]==0
