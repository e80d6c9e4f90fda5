"""What most people write: plain addresses in a table of their own, and one of three ways to ask it."""

from __future__ import annotations

from itertools import chain, islice

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from .task import Task


class Base(DeclarativeBase):
    """What most people write keeps plain addresses."""


class PlainOptOut(Base):
    __tablename__ = "plain_opt_out"
    opportunity: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    address: Mapped[str] = mapped_column(sa.String(254), primary_key=True)


def fill(engine: sa.Engine, task: Task) -> None:
    Base.metadata.create_all(engine)
    mutes = ((task.opportunity, address) for address in task.muted)
    marks = chain(mutes, task.others(len(task.muted)))
    with engine.begin() as connection:
        while part := [{"opportunity": about, "address": address} for about, address in islice(marks, 50_000)]:
            connection.execute(sa.insert(PlainOptOut), part)


def one_by_one(engine: sa.Engine, task: Task) -> list[str]:
    with Session(engine) as session:
        query = session.query(PlainOptOut)
        return [
            address
            for address in task.asked
            if query.filter_by(opportunity=task.opportunity, address=address).first() is None
        ]


def in_lists(engine: sa.Engine, task: Task) -> list[str]:
    passed: list[str] = []
    # Prepared for any opportunity at all, PostgreSQL's plan takes a hundred times as long.
    opportunity: sa.BindParameter[str] = sa.bindparam("opportunity", task.opportunity, literal_execute=True)
    with Session(engine) as session:
        for start in range(0, len(task.asked), 500):
            part = task.asked[start : start + 500]
            query = sa.select(PlainOptOut.address).where(
                PlainOptOut.opportunity == opportunity, PlainOptOut.address.in_(part)
            )
            muted = set(session.scalars(query))
            passed += [address for address in part if address not in muted]
    return passed


def all_in_a_set(engine: sa.Engine, task: Task) -> list[str]:
    with Session(engine) as session:
        query = sa.select(PlainOptOut.address).where(PlainOptOut.opportunity == task.opportunity)
        muted = set(session.scalars(query))
    return [address for address in task.asked if address not in muted]
