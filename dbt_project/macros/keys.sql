{#-
    The keys of user_feedback, enforced by the database: no feedback twice, none of a user or about
    an item that nobody knows, and no user or item goes or becomes another while feedback refers to it.

    Triggers, because the constraints of DuckDB are indexes over random ids: what they cost at each
    insert, in time and in memory, grows with what is stored. A trigger reads four bytes of a row. It does
    not see what a transaction beside its own has not committed; the lock on the warehouse keeps
    those out. DuckDB refuses `merge` into a table with triggers, and to replace the table.
-#}
{% macro enforce_feedback_keys() -%}
    {#- Without the name of the database, which is that of the file. -#}
    {% set feedback = this.include(database=false) -%}
    {% set keys = {
        'user_id': ref('user_keys').include(database=false),
        'item_id': ref('item_keys').include(database=false),
    } -%}
    {% for event in ('insert', 'update') %}
    create or replace trigger feedback_once_{{ event }} after {{ event }} on {{ feedback }}
    referencing new table as arriving for each statement
    insert into pipeline.refusals
    with suspected as materialized (
        select list(rowid) as found_rows
        from {{ feedback }}
        where feedback_id_hash in (select feedback_id_hash from arriving)
        group by feedback_id_hash
        having count(*) > 1
    )

    select error('Duplicate key: feedback "' || feedback_id || '" is there already.')
    from {{ feedback }}
    where rowid in (select unnest(found_rows) from suspected)
    group by feedback_id
    having count(*) > 1;
    {% for key, known in keys.items() %}
    create or replace trigger known_{{ key }}_{{ event }} after {{ event }} on {{ feedback }}
    referencing new table as arriving for each statement
    insert into pipeline.refusals
    select error('Violates foreign key: no {{ key }} "' || {{ key }} || '" in {{ known.identifier }}.')
    from arriving
    where {{ key }} not in (select {{ key }} from {{ known }});
    {% endfor %}
    {% endfor %}
    {% for event in ('delete', 'update') %}
    {% for key, known in keys.items() %}
    create or replace trigger needed_{{ key }}_{{ event }} after {{ event }} on {{ known }}
    referencing old table as leaving for each statement
    insert into pipeline.refusals
    select error('Violates foreign key: feedback refers to {{ key }} "' || {{ key }} || '".')
    from {{ feedback }}
    where
        {{ key }} in (select {{ key }} from leaving)
        and {{ key }} not in (select {{ key }} from {{ known }});
    {% endfor %}
    {% endfor %}
{%- endmacro %}
