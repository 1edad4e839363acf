-- Messages go where the prefix of their sender's ClientID says; what no prefix
-- matches goes to the operator. The table is routes.json, which is loaded again
-- when it is saved, as this file is.

pipeline {
  stage.prefix { file = "routes.json" },
}

-- Every desk is a member of the group that sensors raise alarms to.
function on_connect(conn)
  if conn:id():sub(1, 5) == "desk-" then
    conn:join("desks")
  end
end

-- Sensors report where the table says, and to nobody of their own choice.
function on_policy(conn, action, kind, name)
  if conn:id():sub(1, 7) == "sensor-" then
    return false, "sensors only report"
  end
  return true
end
