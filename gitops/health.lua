-- The health of a BlendedFineTune, a RubricEval or a BlendStudy for Argo CD: Healthy only when it succeeded and its
-- gates passed, or it recommends a setting.
-- Argo CD gives it the resource as `obj`, without the string and math libraries.
-- In their order. A run without self:// lacks the first; a RubricEval has only the last.
local stages = {"DataRehearsed", "DataBlended", "TrainingSucceeded", "EvaluationSucceeded"}

-- Why a spec is refused until its author changes it. Any other obstacle may pass, and the run then goes on by itself.
local refusals = {InvalidSpec = true, NotSupported = true, UnknownGpuType = true, ServiceAccountNotAllowed = true}

local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function holds(name)
  return conditions[name] ~= nil and conditions[name].status == "True"
end

local function is_refused()
  local accepted = conditions.Accepted
  return accepted ~= nil and accepted.status == "False" and refusals[accepted.reason] == true
end

-- What keeps the run from starting, or else what its present stage does.
local function activity()
  local accepted = conditions.Accepted
  if accepted ~= nil and accepted.status == "False" then
    return accepted.message
  end
  for _, stage in ipairs(stages) do
    local condition = conditions[stage]
    if condition ~= nil and condition.status ~= "True" then
      return condition.message
    end
  end
  local succeeded = conditions.Succeeded
  return conditions.Recommended ~= nil and succeeded ~= nil and succeeded.message or "all stages are done"
end

if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "the operator has not seen this generation yet"}
end
if holds("Succeeded") then
  local outcome = conditions.GatesPassed or conditions.Recommended
  local health = {True = "Healthy", False = "Degraded", Unknown = "Suspended"}
  return {status = health[outcome.status], message = outcome.message}
end
if holds("Failed") then
  return {status = "Degraded", message = conditions.Failed.message}
end
if holds("Suspended") then
  return {status = "Suspended", message = conditions.Suspended.message}
end
if is_refused() then
  return {status = "Degraded", message = conditions.Accepted.message}
end
return {status = "Progressing", message = (status.state or "Pending") .. ": " .. activity()}
